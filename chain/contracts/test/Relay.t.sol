// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

/// @notice A wallet that burns all the gas it is given.
contract GreedyWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return 0;
    }
}

/// @notice A wallet that says yes, at a price just below an act's cap.
contract SlowWallet {
    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        uint256 end = gasleft() - 900_000;
        while (gasleft() > end) {}
        return this.isValidSignature.selector;
    }
}

contract RelayTest is Clinic {
    string private constant NAMING = "NameFolder(address author,uint16 folder,bytes32 name,uint64 serial)";

    bytes[] private _calls;

    function _naming(uint64 serial) private view returns (bytes memory) {
        IMedRec.NameFolder memory act = IMedRec.NameFolder(patient, 1, keccak256("name"), serial);
        return abi.encodeCall(medrec.nameFolder, (act, _sign(PATIENT_KEY, NAMING, abi.encode(act))));
    }

    function _nameSerial() private view returns (uint64 serial) {
        (, serial) = medrec.folderOf(patient, 1);
    }

    function _relay() private returns (bytes[] memory) {
        vm.prank(stranger);
        return medrec.relay(_calls);
    }

    function _notSigner(address signer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IMedRec.NotSigner.selector, signer);
    }

    function test_ARefusedActDoesNotHoldUpTheRest() public {
        _calls = [_naming(1), _naming(1), _naming(2)];
        bytes memory reason = abi.encodeWithSelector(IMedRec.SerialNotNext.selector, 1, 1);
        vm.expectEmit(address(medrec));
        emit IMedRec.ActRefused(1, reason);
        bytes[] memory refusals = _relay();
        vm.assertEq(refusals.length, 3);
        vm.assertEq(refusals[0], "");
        vm.assertEq(refusals[1], reason);
        vm.assertEq(refusals[2], "");
        vm.assertEq(_nameSerial(), 2);
    }

    function test_OnlyActsAreRelayed() public {
        _calls = [
            abi.encodeCall(medrec.relay, (new bytes[](0))),
            abi.encodeCall(IAccessControl.grantRole, (medrec.ADMISSION_ROLE(), stranger)),
            abi.encodeCall(medrec.acceptDefaultAdminTransfer, ()),
            abi.encodeCall(medrec.signerOf, (patient)),
            bytes(hex"010203"),
            bytes("")
        ];
        bytes[] memory refusals = _relay();
        for (uint256 i = 0; i < refusals.length; ++i) {
            vm.assertEq(refusals[i], abi.encodePacked(IMedRec.NotAnAct.selector));
        }
    }

    function test_AnUnsignedActIsNeverRelayed() public {
        IMedRec.NameFolder memory act = IMedRec.NameFolder(patient, 1, keccak256("name"), 1);
        _calls = [abi.encodeCall(medrec.nameFolder, (act, ""))];
        vm.prank(patient);
        vm.assertEq(medrec.relay(_calls)[0], _notSigner(patient));
        act.author = address(medrec);
        _calls = [abi.encodeCall(medrec.nameFolder, (act, ""))];
        vm.assertEq(_relay()[0], _notSigner(address(medrec)));
    }

    function test_AMalformedActFailsAlone() public {
        _calls = [abi.encodePacked(medrec.nameFolder.selector), _naming(1)];
        bytes[] memory refusals = _relay();
        vm.assertEq(refusals[0], abi.encodePacked(IMedRec.ActFailed.selector));
        vm.assertEq(refusals[1], "");
    }

    function test_AGreedySignerTakesNoMoreThanItsCap() public {
        address wallet = address(0x6EED);
        vm.etch(wallet, address(new GreedyWallet()).code);
        IMedRec.NameFolder memory act = IMedRec.NameFolder(wallet, 1, keccak256("name"), 1);
        _calls = [abi.encodeCall(medrec.nameFolder, (act, "x")), _naming(1)];
        uint256 before = gasleft();
        bytes[] memory refusals = _relay();
        vm.assertTrue(before - gasleft() < medrec.ACT_GAS() + 150_000);
        vm.assertTrue(refusals[0].length != 0);
        vm.assertEq(refusals[1], "");
    }

    function test_WithoutTheGasForAnActTheBatchIsUndone() public {
        _calls = [_naming(1), _naming(2)];
        _refused(IMedRec.NotEnoughGas.selector);
        medrec.relay{gas: 1_043_000}(_calls);
        vm.assertEq(_nameSerial(), 0);
    }

    function testFuzz_NoAmountOfGasMakesAGoodActFail(uint256 gas) public {
        gas = 30_000 + gas % 1_200_000;
        _calls = [_naming(1)];
        try medrec.relay{gas: gas}(_calls) returns (bytes[] memory refusals) {
            vm.assertEq(refusals[0], "");
            vm.assertEq(_nameSerial(), 1);
        } catch {
            vm.assertEq(_nameSerial(), 0);
        }
    }

    /// @dev One that needs nearly its whole cap: starved of a little, it would fail, and what is left would tell of a refusal.
    function testFuzz_NoAmountOfGasMakesACostlyActFail(uint256 gas) public {
        address wallet = address(0x510);
        vm.etch(wallet, address(new SlowWallet()).code);
        IMedRec.NameFolder memory act = IMedRec.NameFolder(wallet, 1, keccak256("name"), 1);
        _calls = [abi.encodeCall(medrec.nameFolder, (act, "x"))];
        vm.assertEq(_relay()[0], "");
        act.serial = 2;
        _calls = [abi.encodeCall(medrec.nameFolder, (act, "x"))];
        try medrec.relay{gas: 900_000 + gas % 200_000}(_calls) returns (bytes[] memory refusals) {
            vm.assertEq(refusals[0], "");
        } catch {}
    }

    function test_AnEmptyBatchDoesNothing() public {
        vm.assertEq(_relay().length, 0);
    }
}
